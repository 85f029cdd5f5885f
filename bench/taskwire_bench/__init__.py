"""The benchmark: what Taskwire does on this machine, beside what Postgres allows here and what its peers do."""
