"""Encrypted connections, certificates of clients, and tokens, by both protocols."""

import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import tensorflow as tf
import trustme
from cryptography.hazmat.primitives import serialization

from stargan_tf import demo
from stargan_tf.base.errors import UserError
from stargan_tf.serving import remote_model
from stargan_tf.serving.client import RestClient, main
from stargan_tf.serving.connection import Connection
from stargan_tf.serving.served_model import ServerUnavailable, texts
from tests.serving.clients import PROTOCOLS, connect
from tests.serving_double.guard import Certificates
from tests.serving_double.server import HOST, Double

SECRET = "s3cr3t-t0k3n"


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> SimpleNamespace:
    """PEM files of an authority, a server and a client, and of a stranger."""
    directory = tmp_path_factory.mktemp("certificates")
    ours, stranger = trustme.CA(), trustme.CA()
    server, client = ours.issue_cert(HOST), ours.issue_cert("somebody@example.org")
    written = {"root": ours.cert_pem, "stranger": stranger.cert_pem, "not_pem": trustme.Blob(b"text")}
    for name, certificate in (("server", server), ("client", client)):
        written |= {name: certificate.cert_chain_pems[0], f"{name}_key": certificate.private_key_pem}
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"a")
    )
    written["locked_key"] = trustme.Blob(locked)
    for name, content in written.items():
        content.write_to_path(str(directory / f"{name}.pem"))
    return SimpleNamespace(**{name: str(directory / f"{name}.pem") for name in written})


@pytest.fixture(scope="module")
def encrypted(echo_model, files):
    with Double(echo_model, certificates=Certificates(files.server, files.server_key)) as double:
        yield double


@pytest.fixture
def guarded(echo_model):
    with Double(echo_model, required={"authorization": f"Bearer {SECRET}"}) as double:
        yield double


@pytest.fixture
def patient(monkeypatch):
    """Pauses so long that a further try would be noticed."""
    monkeypatch.setattr(remote_model, "_FIRST_PAUSE", 1000)


def ask(protocol, double, **settings):
    with connect(protocol, double, model="echo", **settings) as client:
        return client.predict("both", {"text": texts(["?"])})["text"][0]


@PROTOCOLS
def test_an_encrypted_connection(protocol, encrypted, files):
    assert ask(protocol, encrypted, root_certificates=files.root) == b"?"
    server = encrypted.grpc_server if protocol == "grpc" else encrypted.rest_server
    by_address = SimpleNamespace(grpc_server=f"https://{server}", rest_server=f"https://{server}/")
    assert ask(protocol, by_address, root_certificates=files.root, tls=True) == b"?"


@PROTOCOLS
@pytest.mark.parametrize("root", [None, "stranger"])
def test_a_server_that_is_not_trusted_is_not_asked_again(protocol, root, encrypted, files, patient):
    settings = {"tls": True, "root_certificates": root and files.stranger}
    with pytest.raises(ServerUnavailable, match=r"^there is no encrypted connection with 127\.0\.0\.1:\d+: .*VERIFY"):
        ask(protocol, encrypted, **settings)


@PROTOCOLS
def test_a_server_that_does_not_encrypt(protocol, guarded, patient):
    with pytest.raises(ServerUnavailable, match=r"there is no encrypted connection with .* .does it encrypt"):
        ask(protocol, guarded, tls=True)


@PROTOCOLS
def test_the_certificate_of_a_client(protocol, echo_model, files):
    certificates = Certificates(files.server, files.server_key, files.root)
    own = {"client_certificate": files.client, "client_key": files.client_key}
    with Double(echo_model, certificates=certificates) as double:
        assert ask(protocol, double, root_certificates=files.root, **own) == b"?"
        with pytest.raises(ServerUnavailable):
            ask(protocol, double, root_certificates=files.root, retries=0)


@PROTOCOLS
def test_a_token_is_sent_with_every_call_and_read_anew(protocol, guarded, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", SECRET)
    (tmp_path / "token").write_text("old\n")
    for headers in (
        {"Authorization": "Bearer ${env:TOKEN}", "x-team": "cats"},
        {"authorization": f"Bearer {SECRET}"},
        ["Authorization: Bearer ${env:TOKEN}"],
    ):
        assert ask(protocol, guarded, headers=headers) == b"?"
    headers = {"Authorization": f"Bearer ${{file:{tmp_path / 'token'}}}"}
    with connect(protocol, guarded, model="echo", headers=headers) as client:
        with pytest.raises(ServerUnavailable, match="no access with"):
            client.status()
        (tmp_path / "token").write_text(f"{SECRET}\n")
        assert client.status() == {7: "AVAILABLE"}
    with connect(protocol, guarded, model="echo", label="stable", headers=headers) as client:
        assert client.status() == {7: "AVAILABLE"}
        (tmp_path / "token").unlink()
        with pytest.raises(UserError, match=r"cannot read '.*token', which the header 'Authorization' is taken from"):
            client.status()


@PROTOCOLS
def test_what_a_server_repeats_of_a_token_is_not_told(protocol, guarded):
    with pytest.raises(ServerUnavailable, match="no access with") as error:
        ask(protocol, guarded, headers={"Authorization": f"Token {SECRET}"})
    assert SECRET not in str(error.value) and "***" in str(error.value)


@PROTOCOLS
def test_the_command(protocol, echo_model, files, monkeypatch, capfd):
    monkeypatch.setenv("TOKEN", SECRET)
    certificates = Certificates(files.server, files.server_key, files.root)
    with Double(echo_model, certificates=certificates, required={"authorization": f"Bearer {SECRET}"}) as double:
        server = double.grpc_server if protocol == "grpc" else double.rest_server
        words = ["status", "--server", server, "--protocol", protocol.upper(), "--model", "echo"]
        words += ["--root-certificates", files.root, "--client-certificate", files.client]
        words += ["--client-key", files.client_key, "--headers", "x-team: cats", "Authorization: Bearer "]
        words[-1] += "${env:TOKEN}"
        assert main(words) == 0
        assert capfd.readouterr().out == "version 7: AVAILABLE\n"
        assert main([*words[1:], "status"]) == 0  # after a list of values, too
        words[-1] = f"Authorization: Token {SECRET}"
        assert main(words) == 2
        shown = capfd.readouterr()
        assert SECRET not in shown.out + shown.err and "no access" in shown.err


def test_the_page_asks_by_an_encrypted_connection_with_a_token(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", SECRET)
    module = tf.Module()
    module.card = tf.function(
        lambda request: {"model_card": tf.fill(tf.shape(request), '{"name": "small"}'), "request": request},
        input_signature=[tf.TensorSpec([None], tf.string, name="request")],
    )
    tf.saved_model.save(module, str(tmp_path / "small" / "1"), signatures={"domains": module.card})
    certificates = Certificates(files.server, files.server_key, files.root)
    required = {"authorization": f"Bearer {SECRET}"}
    with Double(tmp_path / "small", certificates=certificates, required=required) as double, ExitStack() as stack:
        arguments = demo.Arguments(
            server=double.grpc_server,
            model_name="small",
            root_certificates=files.root,
            client_certificate=files.client,
            client_key=files.client_key,
            headers=["Authorization: Bearer ${env:TOKEN}"],
        )
        assert demo._load(arguments, "small", stack).card == {"name": "small"}


def test_an_address_is_told_without_its_password(patient):
    with RestClient(f"https://me:{SECRET}@{HOST}:1/deep", retries=0) as client:
        assert client.server == f"https://{HOST}:1/deep"
        with pytest.raises(ServerUnavailable) as error:
            client.status()
    assert SECRET not in str(error.value)


def test_a_password_in_netrc_takes_no_tokens_place(guarded, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine {HOST} login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert ask("rest", guarded, headers={"Authorization": f"Bearer {SECRET}"}) == b"?"


def test_a_token_is_not_sent_on_to_another_server():
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with (
            RestClient(f"{HOST}:{server.server_port}", headers={"x-api-key": SECRET}) as client,
            pytest.raises(ServerUnavailable, match="HTTP 302"),
        ):
            client.status()
        server.shutdown()
    assert asked == ["/v1/models/stargan"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"root_certificates": "nowhere.pem"}, r"cannot read 'nowhere.pem' \(root_certificates\): No such file"),
        ({"root_certificates": "not_pem"}, r"not_pem.pem' \(root_certificates\) holds no certificate in PEM"),
        ({"client_certificate": "client"}, "client_certificate is given without client_key; they go together"),
        ({"client_key": "client_key"}, "client_key is given without client_certificate; they go together"),
        (
            {"client_certificate": "client", "client_key": "server_key"},
            r"client.pem' \(client_certificate\) and '.*server_key.pem' \(client_key\) are not a certificate and its",
        ),
        (
            {"client_certificate": "client", "client_key": "locked_key"},
            "has a passphrase; it must be a key without one",
        ),
        ({"server": "http://example.org", "tls": True}, "'http://example.org', which is not encrypted, but TLS is"),
        ({"headers": {"Authorization": "Bearer ${env:NO_SUCH}"}}, "the environment variable 'NO_SUCH' is not set"),
        (
            {"headers": {"Authorization": "${file:nowhere}"}},
            "cannot read 'nowhere', which the header 'Authorization' is",
        ),
        ({"headers": {"grpc-timeout": SECRET}}, "a header is named 'grpc-timeout'; a name must have"),
        ({"headers": {"x y": SECRET}}, "a header is named 'x y'; a name must have"),
        ({"headers": {"x": f"{SECRET}\n{SECRET}"}}, "the value of the header 'x' has letters beyond ASCII, or a line"),
        ({"headers": {"x": f"{SECRET}ü"}}, "the value of the header 'x' has letters beyond ASCII, or a line break"),
        ({"headers": {"x": ""}}, "the value of the header 'x' is empty; it cannot be sent"),
        ({"headers": [SECRET]}, "header 1 has no colon; it must be NAME: VALUE"),
        ({"headers": ["x: 1", f"x: {SECRET}"]}, "the header 'x' is given twice"),
    ],
)
def test_a_mistake_is_told_at_once_and_no_secret_with_it(settings, sentence, files):
    given = {
        name: getattr(files, value, value) if isinstance(value, str) else value for name, value in settings.items()
    }
    with pytest.raises(UserError, match=sentence) as error:
        Connection(**given)
    assert SECRET not in str(error.value)


def test_a_connection_is_shown_without_its_headers():
    assert SECRET not in repr(Connection(headers={"Authorization": SECRET}))
