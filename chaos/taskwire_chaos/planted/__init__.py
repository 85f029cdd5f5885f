"""What is planted into services at their start: failpoints, low limits, the resolver of tenants. Bugs are beside it."""
