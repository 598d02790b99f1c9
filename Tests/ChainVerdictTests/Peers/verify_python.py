"""Verifies the chains of a JSON list in handshakes of Python's ssl module, with contexts at their defaults, and writes a JSON list of
verdicts: an empty string for a chain that is accepted, a short reason for one that is refused, null for one that OpenSSL cannot present."""

import json
import ssl
import sys

from presenter import CannotPresent, TLSSide, presenter, verify


def verifier(chain):
    if chain["presenter"] == "server":
        context = ssl.create_default_context(cafile=chain["trust"])
        context.check_hostname = bool(chain["host"])
        return TLSSide(context, False, chain["host"] or None)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=chain["trust"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(chain["ownChain"], chain["ownKey"])
    return TLSSide(context, True)


def verdict(chain):
    try:
        verify(verifier(chain), presenter(chain))
        return ""
    except CannotPresent:
        return None
    except ssl.SSLCertVerificationError as error:
        # What follows the comma names the host.
        return error.verify_message.split(",")[0]
    except ssl.SSLError as error:
        return error.reason or str(error)
    except (ValueError, OSError) as error:
        return str(error)


with open(sys.argv[1]) as chains, open(sys.argv[2], "w") as verdicts:
    json.dump([verdict(chain) for chain in json.load(chains)], verdicts)
