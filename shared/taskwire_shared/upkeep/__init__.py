"""What has to be done now and then by somebody: every gateway and every processor does it, and none leads."""
