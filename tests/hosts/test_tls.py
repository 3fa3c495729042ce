"""TLS stays out of programs that do not want it, and is whole in those that do.

pyOpenSSL is installed here. Twisted imports it wherever it can, for AMP and for TCP; a
program that is only watched must not pay for that, and one that turns to TLS itself, in
whatever order, must find it as if we were not there.
"""

from __future__ import annotations

from tests.hosts.needed import require
from tests.hosts.pairs import PairTestCase
from tests.hosts.programs import WARNINGS

#: An exchange over TLS, twice: by ``connectSSL``, and by AMP's ``StartTLS``.
EXCHANGE = """
def exchange():
    from twisted.internet import defer, endpoints, protocol, reactor, ssl, tcp
    from twisted.internet.interfaces import IReactorSSL
    from twisted.protocols import amp
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    import datetime

    def certificate():
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(1))
            .not_valid_after(now + datetime.timedelta(1))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost")]), False
            )
            .sign(key, hashes.SHA256())
        )
        encoding = serialization.Encoding.PEM
        return ssl.PrivateCertificate.loadPEM(
            made.public_bytes(encoding) + key.private_bytes(
                encoding, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    class Echo(protocol.Protocol):
        def dataReceived(self, data):
            self.transport.write(data.upper())

    class Asking(protocol.Protocol):
        def connectionMade(self):
            self.transport.write(b"hello")

        def dataReceived(self, data):
            peer = self.transport.getPeerCertificate() is not None
            self.transport.loseConnection()
            self.factory.answer.callback([data.decode(), peer])

    class Sum(amp.Command):
        arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
        response = [(b"total", amp.Integer())]

    class Server(amp.AMP):
        @Sum.responder
        def sum(self, a, b):
            return {"total": a + b}

        @amp.StartTLS.responder
        def secure(self):
            return {"tls_localCertificate": ours}

    ours = certificate()
    trust = ssl.Certificate.load(ours.dump())

    @defer.inlineCallbacks
    def main():
        assert IReactorSSL.providedBy(reactor)
        echo = protocol.Factory.forProtocol(Echo)
        port = reactor.listenSSL(0, echo, ours.options(), interface="127.0.0.1")
        asking = protocol.ClientFactory.forProtocol(Asking)
        asking.noisy = echo.noisy = False
        asking.answer = defer.Deferred()
        options = ssl.optionsForClientTLS("localhost", trust)
        reactor.connectSSL("127.0.0.1", port.getHost().port, asking, options)
        tell("ssl", (yield asking.answer))
        yield port.stopListening()

        serving = protocol.Factory.forProtocol(Server)
        serving.noisy = False
        port = reactor.listenTCP(0, serving, interface="127.0.0.1")
        client = yield endpoints.connectProtocol(
            endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port),
            amp.AMP(),
        )
        yield client.callRemote(amp.StartTLS, tls_verifyAuthorities=[trust])
        answer = yield client.callRemote(Sum, a=2, b=3)
        tell("amp", [answer["total"], client.peerCertificate is not None])
        client.transport.loseConnection()
        yield port.stopListening()
        use(engine, 10)
        from twisted.internet import task, threads
        yield threads.deferToThread(gate, "end")
        reactor.stop()

    reactor.callWhenRunning(
        lambda: main().addErrback(lambda f: (tell("failed", str(f)), reactor.stop()))
    )
    reactor.run()
    from twisted.internet import _newtls, posixbase
    tell("whole", [
        issubclass(tcp.Connection, _newtls.ConnectionMixin),
        IReactorSSL.implementedBy(posixbase.PosixReactorBase),
        endpoints.TLSMemoryBIOFactory is not None,
        amp.ssl is ssl,
    ])
"""

PROGRAM = """
{first}
engine = make()
held = hold(engine, 2)
tell("held")
gate("reported")
{then}
"""


#: Twisted uses what pyOpenSSL has deprecated.
TWISTEDS_OWN = {"PYTHONWARNINGS": f"{WARNINGS},ignore::DeprecationWarning"}


class TLSTests(PairTestCase):
    """When TLS comes, beside a control."""

    def setUp(self) -> None:
        """Ask for what Twisted's TLS needs."""
        require("OpenSSL", "service_identity", "cryptography")
        super().setUp()

    def live(self, first: str, then: str) -> None:
        """Report, then exchange something over TLS, and go on reporting."""
        script = PROGRAM.format(first=first, then=then) + EXCHANGE + "exchange()\n"
        pair = self.pair(script, env=TWISTEDS_OWN)
        self.shows(nproc=1, conn=2, ckout=2)
        pair.open("reported")
        self.same(pair, "ssl", "amp")
        # A third connection was needed meanwhile, and is idle now.
        self.shows(nproc=1, conn=3, ckout=2)
        pair.open("end")
        self.same(pair, "whole")
        self.assertEqual([True] * 4, pair.watched.value("whole"))
        self.assertEqual(["HELLO", True], pair.watched.value("ssl"))
        self.assertEqual([5, True], pair.watched.value("amp"))
        self.end_alike(pair)
        self.linked_once(pair.watched.pid)

    def test_no_tls(self) -> None:
        """A program that is only watched has none, from its beginning to its end."""
        pair = self.pair(
            "import atexit\n"
            "def tls(): return sorted({'OpenSSL', 'twisted.internet.ssl'} &"
            " set(sys.modules))\n"
            "atexit.register(lambda: tell('at exit', tls()))\n"
            "engine = make()\n"
            "held = hold(engine, 2)\n"
            "gate('end')\n"
            "tell('reported', tls())\n"
        )
        self.shows(nproc=1, conn=2, ckout=2)
        pair.open("end")
        self.assertEqual([], pair.watched.value("reported"))
        self.assertEqual([], pair.watched.value("at exit"))
        self.end_alike(pair)

    def test_the_host_turns_to_tls_afterwards(self) -> None:
        """It finds all of it, though we had none."""
        self.live("pass", "assert 'OpenSSL' not in sys.modules")

    def test_the_host_had_tls_before(self) -> None:
        """Its modules are what they were; we use what is there."""
        self.live(
            "from twisted.internet import ssl, tcp\n"
            "from twisted.protocols import amp\n"
            "mine = lambda: {n: id(m) for n, m in sys.modules.items()}\n"
            "before = mine()",
            "assert before.items() <= mine().items()\n"
            "assert sys.modules['twisted.protocols'].amp is amp",
        )

    def test_the_host_had_tls_but_no_amp(self) -> None:
        """OpenSSL alone, as requests or a driver would bring it."""
        self.live("import OpenSSL.SSL", "pass")

    def test_another_thread_has_it_imported_meanwhile(self) -> None:
        """It is not disturbed, whichever of the two is first."""
        self.live(
            "start, whole = threading.Barrier(2), []\n"
            "def beside():\n"
            "    start.wait()\n"
            "    from twisted.internet import reactor, ssl, endpoints\n"
            "    from twisted.protocols import amp\n"
            "    assert amp.ssl is ssl and endpoints.TLSMemoryBIOFactory\n"
            "    whole.append(True)\n"
            "thread = threading.Thread(target=beside)\n"
            "thread.start()\n"
            "start.wait()\n",
            "thread.join()\nassert whole\n",
        )
