"""What is done to a site, by kind."""
