"""What is planted into services at their start: failpoints, and the resolver of tenants. Bugs are beside it."""
