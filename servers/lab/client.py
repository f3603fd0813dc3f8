"""XMPP clients that a Go program drives: one JSON object a line on stdin and stdout.

A request is {"id": 1, "client": "phone", "do": "login", ...}; its answer carries the same id and either "error" or what
was asked for. What a client receives is reported as {"client": "phone", "event": "message", "xml": "..."}.
The process ends when stdin does.
"""
import asyncio
import json
import logging
import socket
import struct
import sys

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from slixmpp.xmlstream import ET, tostring

UNIFIED = "http://gultsch.de/xmpp/drafts/unified-push"
PATIENCE = 120  # seconds, with a server on a busy machine


def out(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Client(slixmpp.ClientXMPP):
    def __init__(self, name, o):
        super().__init__(o["jid"], o["password"])
        self.name, self.o = name, o
        self.session = asyncio.Queue()
        self.closed = asyncio.Event()
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        if o.get("sm"):
            self.register_plugin("xep_0198", {"allow_resume": bool(o.get("resume"))})
        self["feature_mechanisms"].unencrypted_scram = True
        self["feature_mechanisms"].unencrypted_plain = True
        # Requests to subscribe stay unanswered: a person answers them, later.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.add_event_handler("session_start", lambda e: self.session.put_nowait("bound"))
        self.add_event_handler("session_resumed", lambda e: self.session.put_nowait("resumed"))
        self.add_event_handler("failed_auth", lambda e: self.session.put_nowait("not authorized"))
        self.add_event_handler("connection_failed", lambda e: self.session.put_nowait("connection failed: %s" % e))
        self.add_event_handler("disconnected", lambda e: self.closed.set())
        self.add_event_handler("message", self.report("message"))
        self.register_handler(Callback("unified push", MatchXPath("{%s}iq/{%s}push" % (self.default_ns, UNIFIED)), self.pushed))
        for event in ("presence_available", "presence_unavailable", "presence_subscribe", "presence_error"):
            self.add_event_handler(event, self.report("presence"))

    def send_raw(self, data):
        # Expat since 2.6.0 (and Debian's 2.5.0-1+deb12u2) leaves a long tag that it got in pieces unread until as much again
        # has come: Prosody would have it with the client's next stanza.
        if len(data) > 4096:
            data += (" " if isinstance(data, str) else b" ") * len(data)
        super().send_raw(data)

    def pushed(self, iq):  # as Conversations: the app is there, or is not
        out(client=self.name, event="iq", xml=tostring(iq.xml, top_level=True))
        iq.reply().send()

    def report(self, event):
        return lambda stanza: out(client=self.name, event=event, xml=tostring(stanza.xml, top_level=True))

    async def login(self, r):
        while not self.session.empty():
            self.session.get_nowait()
        self.closed.clear()
        self.o.update({k: r[k] for k in ("host", "port") if k in r})
        self.connect((self.o["host"], self.o["port"]), disable_starttls=True, force_starttls=False, use_ssl=False)
        how = await self.session.get()
        if how not in ("bound", "resumed"):
            await self.disconnect()
            raise RuntimeError(how)
        if how == "bound":
            if self.o.get("carbons"):
                await self.ask(None, "set", "<enable xmlns='urn:xmpp:carbons:2'/>")
            if self.o.get("mam"):  # a client that has asked the archive once is one that uses it
                await self.ask(None, "set", "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
                                            "<max>1</max></set></query>")
            if self.o.get("presence"):
                self.send_presence()
                await self.ask(None, "get", "<query xmlns='jabber:iq:roster'/>")
        return {"resumed": how == "resumed", "jid": self.boundjid.full}

    async def ask(self, to, kind, payload):
        iq = self.make_iq(ito=to, itype=kind)
        iq.append(ET.fromstring(payload))
        return await iq.send(timeout=PATIENCE)

    async def iq(self, r):
        try:
            return {"xml": tostring((await self.ask(r.get("to"), r["type"], r["xml"])).xml, top_level=True)}
        except IqError as e:
            return {"xml": tostring(e.iq.xml, top_level=True)}
        except IqTimeout:
            raise RuntimeError("no answer in %d s" % PATIENCE)

    async def send_xml(self, r):
        self.send_raw(r["xml"])
        return {}

    async def catch_up(self, r):
        # An answer comes behind all that was sent before it, and a request is read behind the acknowledgement.
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        await self.ask(self.boundjid.domain, "get", ping)
        self["xep_0198"].send_ack()
        await self.ask(self.boundjid.domain, "get", ping)
        return {}

    async def freeze(self, r):
        self.transport.pause_reading()
        return {}

    async def thaw(self, r):
        self.transport.resume_reading()
        return {}

    async def drop(self, r):
        s = self.transport.get_extra_info("socket")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        await self.closed.wait()
        return {}

    async def forget(self, r):
        self.event("session_end")
        return {}

    async def bye(self, r):
        # slixmpp gives a slow server 2 s, and then it would not be gone when we say so.
        await self.disconnect(wait=PATIENCE)
        self.event("session_end")
        return {}


COMMANDS = {"login": Client.login, "iq": Client.iq, "send": Client.send_xml, "catch up": Client.catch_up, "freeze": Client.freeze,
            "thaw": Client.thaw, "drop": Client.drop, "forget": Client.forget, "bye": Client.bye}


async def main():
    clients, running = {}, set()

    async def serve(r):
        try:
            if r["do"] == "open":
                clients[r["client"]] = Client(r["client"], r)
                out(id=r["id"])
            else:
                out(id=r["id"], **await COMMANDS[r["do"]](clients[r["client"]], r))
        except Exception as e:
            out(id=r["id"], error="%s: %s" % (type(e).__name__, e))

    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        task = asyncio.ensure_future(serve(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


logging.disable(logging.CRITICAL)
asyncio.get_event_loop().run_until_complete(main())
