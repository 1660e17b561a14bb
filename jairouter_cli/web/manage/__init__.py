"""The management API: `/api/config/*` and its kin, in the Java version's envelope. May import all that `web` may."""
