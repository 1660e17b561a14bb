"""`python -m jairouter_cli` is `jairouter`."""

from jairouter_cli.cli.app import main

if __name__ == "__main__":
    main()
