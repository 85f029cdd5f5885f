"""Everything on one machine, for development: embedded servers, supervision, a demo."""
