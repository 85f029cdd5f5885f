"""The gRPC server before it serves."""

import logging

import pytest

from taskwire_gateway.server import ListenError, bind, make_server
from taskwire_shared.settings import Settings


async def test_callers_cannot_fill_the_log_by_strange_metadata_or_by_leaving(caplog):
    await make_server([]).stop(None)
    library = logging.getLogger("grpc._cython.cygrpc")
    library.error("Invalid encoding on %s", b"\xff")
    library.error("ExecuteBatchError raised in core by servicer method [%s]", "/taskwire.v1.TaskService/GetTask")
    library.error("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]


async def test_a_certificate_that_does_not_serve_is_named(tmp_path):
    file = tmp_path / "both.pem"
    file.write_text("no certificate")
    server = make_server([])

    with pytest.raises(ListenError, match=rf"cannot serve TLS with {file} and {file}: .*PEM"):
        bind(server, Settings(listen="127.0.0.1:0", tls_cert_file=str(file), tls_key_file=str(file)))

    await server.stop(None)
