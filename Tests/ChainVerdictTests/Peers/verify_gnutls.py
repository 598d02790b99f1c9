"""Verifies the chains of a JSON list in handshakes of GnuTLS, as gnutls-cli and gnutls-serv do, and writes a JSON list of verdicts: an
empty string for a chain that is accepted, a short reason for one that is refused, null for one that OpenSSL cannot present.

certtool --verify is further from a client: it has other defaults, and no handshake. So the library itself is called."""

import ctypes
import errno
import json
import sys

from presenter import CannotPresent, presenter, verify

library = ctypes.CDLL("libgnutls.so.30")

SERVER, CLIENT, NONBLOCK = 1, 2, 8
CREDENTIALS_CERTIFICATE, FORMAT_PEM, REQUIRE = 1, 1, 2
HOSTNAME, PURPOSE = 1, 2
AGAIN, VERIFICATION_ERROR = -28, -348
PURPOSES = {"server": b"1.3.6.1.5.5.7.3.1", "client": b"1.3.6.1.5.5.7.3.2"}

# gnutls_certificate_status_t; GNUTLS_CERT_INVALID says nothing more.
STATUS = {
    5: "revoked", 6: "signer not found", 7: "signer not a CA", 8: "insecure algorithm", 9: "not activated", 10: "expired",
    11: "signature failure", 14: "unexpected owner", 16: "signer constraints failure", 18: "purpose mismatch",
    21: "unknown critical extensions",
}

PUSH = PULL = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class TypedData(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("data", ctypes.c_char_p), ("size", ctypes.c_uint)]


class Refused(Exception):
    pass


def check(result):
    if result < 0:
        library.gnutls_strerror.restype = ctypes.c_char_p
        raise Refused(library.gnutls_strerror(result).decode().rstrip("."))


class GnuTLSSide:
    """The side that verifies: the same steps as presenter.TLSSide."""

    def __init__(self, chain):
        self.received, self.sent = b"", b""
        self.session, self.credentials = ctypes.c_void_p(), ctypes.c_void_p()
        check(library.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials)))
        trusted = library.gnutls_certificate_set_x509_trust_file(self.credentials, chain["trust"].encode(), FORMAT_PEM)
        check(trusted)
        verifies_server = chain["presenter"] == "server"
        check(library.gnutls_init(ctypes.byref(self.session), (CLIENT if verifies_server else SERVER) | NONBLOCK))
        check(library.gnutls_set_default_priority(self.session))
        check(library.gnutls_credentials_set(self.session, CREDENTIALS_CERTIFICATE, self.credentials))
        if not verifies_server:
            own = chain["ownChain"].encode(), chain["ownKey"].encode()
            check(library.gnutls_certificate_set_x509_key_file(self.credentials, *own, FORMAT_PEM))
            library.gnutls_certificate_server_set_request(self.session, REQUIRE)
        data = [TypedData(PURPOSE, PURPOSES[chain["presenter"]], 0)]
        if chain["host"]:
            data.append(TypedData(HOSTNAME, chain["host"].encode(), 0))
        # The session refers to these for as long as it lives.
        self.data = (TypedData * len(data))(*data)
        library.gnutls_session_set_verify_cert2(self.session, self.data, len(data), 0)
        self.push, self.pull = PUSH(self.on_push), PULL(self.on_pull)
        library.gnutls_transport_set_push_function(self.session, self.push)
        library.gnutls_transport_set_pull_function(self.session, self.pull)

    def on_push(self, _, bytes, size):
        self.sent += ctypes.string_at(bytes, size)
        return size

    def on_pull(self, _, buffer, size):
        if not self.received:
            library.gnutls_transport_set_errno(self.session, errno.EAGAIN)
            return -1
        chunk, self.received = self.received[:size], self.received[size:]
        ctypes.memmove(buffer, chunk, len(chunk))
        return len(chunk)

    def step(self, received):
        self.received += received
        result = library.gnutls_handshake(self.session)
        if result == VERIFICATION_ERROR:
            library.gnutls_session_get_verify_cert_status.restype = ctypes.c_uint
            status = library.gnutls_session_get_verify_cert_status(self.session)
            raise Refused(", ".join(text for bit, text in STATUS.items() if status >> bit & 1) or "invalid")
        if result != AGAIN:
            check(result)
        to_send, self.sent = self.sent, b""
        return result == 0, to_send


def verdict(chain):
    try:
        verify(GnuTLSSide(chain), presenter(chain))
        return ""
    except CannotPresent:
        return None
    except Refused as error:
        return str(error)


if sys.argv[1:] == ["--version"]:
    library.gnutls_check_version.restype = ctypes.c_char_p
    print(library.gnutls_check_version(None).decode())
else:
    with open(sys.argv[1]) as chains, open(sys.argv[2], "w") as verdicts:
        json.dump([verdict(chain) for chain in json.load(chains)], verdicts)
