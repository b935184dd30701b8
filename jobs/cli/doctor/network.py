"""The way to HiDream: its name, a connection, its certificate. Not one byte of a request is sent."""

import socket
import ssl
from urllib.parse import urlsplit

from jobs.cli.doctor.check import Check, ok, warning, wrong
from jobs.records import Owner

NETWORK = "look at firewall and routes (no proxy is used); if others do not reach it either, ask HiDream"


def check_host(name: str, url: str, timeout_s: float) -> Check:
    """Whether the host of an address resolves, answers within `timeout_s` and proves its name."""
    parts = urlsplit(url)
    host, secured = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secured else 80)
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            if secured:
                return _prove(name, host, where, connection)
            return ok(name, f"{where} answers, without TLS")
    except socket.gaierror as error:
        said, todo = (
            f"{host} is not resolved: {error.strerror}",
            "look at this machine's DNS, and at the setting",
        )
    except ssl.SSLCertVerificationError as error:
        said = f"{where}: its certificate is not valid here: {error.verify_message}"
        todo = "look at this machine's clock and certificates (SSL_CERT_FILE), and at who answers there"
    except ConnectionRefusedError:
        todo = "somebody is there and takes no connection: ask HiDream, unless a firewall of yours answers for it"
        return wrong(name, f"{where}: refused", todo, owner=Owner.VENDOR)
    except TimeoutError:
        said, todo = f"{where}: no answer within {timeout_s:g} s", NETWORK
    except OSError as error:
        said, todo = f"{where}: {error.strerror or type(error).__name__}", NETWORK
    return wrong(name, said, todo)


def _prove(name: str, host: str, where: str, connection: socket.socket) -> Check:
    """Shakes hands over an open connection."""
    context = ssl.create_default_context()
    known = bool(context.cert_store_stats()["x509_ca"] or ssl.get_default_verify_paths().capath)
    if not known:
        # The workers bring a bundle of their own: that this system has none says nothing about the host.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connection, server_hostname=host) as secured:
        found = f"{where} answers, {secured.version()}"
    if known:
        return ok(name, found)
    return warning(
        name, f"{found}, its certificate unseen", "set SSL_CERT_FILE to this system's bundle to have it seen"
    )
