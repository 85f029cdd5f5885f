"""The gRPC server before it serves."""

import logging

from taskwire_gateway.server import make_server


async def test_callers_cannot_fill_the_log_by_strange_metadata_or_by_leaving(caplog):
    await make_server([]).stop(None)
    library = logging.getLogger("grpc._cython.cygrpc")
    library.error("Invalid encoding on %s", b"\xff")
    library.error("ExecuteBatchError raised in core by servicer method [%s]", "/taskwire.v1.TaskService/GetTask")
    library.error("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]
