"""The edits, one module per noun: a document in, a `Change` out. They place values; `parse` judges them."""
