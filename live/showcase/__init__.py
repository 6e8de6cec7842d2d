"""The demo's two organizations: what is in them, how they are made, how people get in."""
