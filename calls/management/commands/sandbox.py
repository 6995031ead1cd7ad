import time
from argparse import ArgumentParser
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError

from calls.vendor.envelope import Form
from calls.vendor.sandbox import FAULTS, Caller, Sandbox


class Command(BaseCommand):
    help = (
        "Play the vendor: a server with tokens and rejects, and, where --callback is given, made-up calls to that address. "
        'Faults can also be asked for while it runs: POST {"path": ..., "faults": [...]} to /sandbox/faults.'
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8100", help="host:port (default %(default)s)")
        parser.add_argument("--app-id", default="sandbox-app")
        parser.add_argument("--app-secret", default="sandbox-secret")
        parser.add_argument("--token-lasts", type=int, default=7200, help="seconds (default %(default)s)")
        parser.add_argument("--callback", metavar="ADDRESS", help="the callback address to push to")
        parser.add_argument("--aes-key", help="the encoding_aes_key to encrypt callbacks with")
        parser.add_argument("--form", choices=get_args(Form), default="base64", help="how the ciphertext travels")
        parser.add_argument("--calls-per-minute", type=float, default=12)
        parser.add_argument("--chats-per-call", type=int, default=3, help="chat messages at most beside each call")
        parser.add_argument("--repeats", type=float, default=0.1, help="share of callbacks that are pushed twice")
        parser.add_argument("--burst", type=int, default=3, help="calls that come at once now and then")
        parser.add_argument("--seconds", type=float, help="end after so many seconds (default: run until stopped)")
        parser.add_argument("--reject", choices=FAULTS, metavar="FAULT", help=f"always: {', '.join(FAULTS)}")
        parser.add_argument("--token", choices=FAULTS, metavar="FAULT", help="the same, when a token is asked for")

    def handle(self, **options: Any) -> None:
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise CommandError("--bind takes host:port, such as 127.0.0.1:8100.")
        if options["callback"] and not options["aes_key"]:
            raise CommandError("--callback needs --aes-key, the one of the vendor app.")
        sandbox = Sandbox(options["app_id"], options["app_secret"], host, int(port), token_lasts=options["token_lasts"])
        for path, fault in (("/wechat/handleVoipCall", options["reject"]), ("/oauth/token", options["token"])):
            if fault:
                sandbox.misbehave(path, fault, always=True)
        try:
            sandbox.start()
        except OSError as error:
            raise CommandError(f"{options['bind']} can't be used: {error.strerror}.") from None
        self.stdout.write(f"The sandbox vendor is at {sandbox.url} (app_id {options['app_id']}).")
        try:
            self._run(options)
        except KeyboardInterrupt:
            pass
        finally:
            sandbox.stop()

    def _run(self, options: dict[str, Any]) -> None:
        if not options["callback"]:
            time.sleep(options["seconds"] or 10**9)
            return
        try:
            caller = Caller(
                options["callback"],
                options["aes_key"],
                options["calls_per_minute"],
                options["chats_per_call"],
                options["repeats"],
                options["burst"],
                options["form"],
            )
        except ValueError as error:
            raise CommandError(f"--aes-key: {error}.") from None
        caller.run(options["seconds"])
