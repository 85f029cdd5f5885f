"""Clients and watchers, as processes of their own."""
