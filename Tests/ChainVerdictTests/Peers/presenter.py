"""The side of a handshake in memory that presents a chain, and the loop that runs the handshake with the side that verifies it."""

import ssl


class CannotPresent(Exception):
    """OpenSSL does not load the chain, so nothing can be learned of it in a handshake with OpenSSL."""


class TLSSide:
    """One side of a handshake, over memory buffers."""

    def __init__(self, context, is_server, host=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server, server_hostname=host)

    def step(self, received):
        """Takes bytes of the other side; returns whether the handshake is complete, and the bytes to send."""
        self.incoming.write(received)
        try:
            self.tls.do_handshake()
            is_complete = True
        except ssl.SSLWantReadError:
            is_complete = False
        return is_complete, self.outgoing.read()


def presenter(chain):
    """The side that presents the chain. It verifies nothing, and its certificates may be weak."""
    is_server = chain["presenter"] == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    try:
        context.load_cert_chain(chain["sent"], chain["key"])
    except ssl.SSLError as error:
        raise CannotPresent from error
    return TLSSide(context, is_server)


def verify(verifier, presenter):
    """Runs the handshake until the verifier has finished; raises the verifier's error."""
    to_verifier = b""
    # No handshake takes more flights; one that did would be an error of this script.
    for _ in range(10):
        is_complete, to_presenter = verifier.step(to_verifier)
        if is_complete:
            return
        _, to_verifier = presenter.step(to_presenter)
    raise RuntimeError("the handshake does not complete")
