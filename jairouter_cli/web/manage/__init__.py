"""The management API: `/api/config/*` and its kin, in upstream's envelope. May import all that `web` may."""
