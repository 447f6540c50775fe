import secrets
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns.management.base import follow
from config import demo
from config.embedded import EmbeddedError
from config.management.commands.services import embedded_services

if TYPE_CHECKING:
    from config.one_machine import Running

ADMIN = "admin"
CHANGE_PASSWORD = f".venv/bin/python manage.py changepassword {ADMIN}"


class Command(BaseCommand):
    help = "Run all of Godwit on this machine, servers included, until Ctrl-C."
    requires_system_checks = ()
    password: str | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server")

    def handle(self, *, port: int, **options: Any) -> None:
        services = embedded_services()
        # Here, because a production installation has none of the packages that this needs.
        from config.one_machine import run
        from config.processes import Ports, RunError

        try:
            run(services, ports=Ports(web=port), prepare=self.prepare, when_up=self.announce)
        except (EmbeddedError, RunError) as error:
            raise CommandError(str(error)) from None

    def prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.password = make_admin()
        if self.password:  # also here: it must not be lost when the start fails
            self.stdout.write(f"made the user {ADMIN} with the password {self.password}")

    def announce(self, running: "Running") -> None:
        login = f"{ADMIN} / {self.password}" if self.password else f"{ADMIN}, password as before"
        ports = running.ports
        lines = [
            "",
            "Godwit is up.",
            f"  Application  http://localhost:{ports.web}/",
            f"  Log in as    {login}   (to change it: {CHANGE_PASSWORD})",
            f"  Messages     http://localhost:{ports.catcher}/   "
            f"(caught on SMTP port {ports.smtp}; none leaves this machine)"
            if running.catches
            else "  Messages     go out by your EMAIL_URL",
            "  Stop         Ctrl-C",
            "",
        ]
        self.stdout.write("\n".join(lines))
        # Its recipients are invented: they get nothing by way of a real server.
        if running.catches and not demo.has_campaign():
            self.send_demo(running)

    def send_demo(self, running: "Running") -> None:
        campaign = demo.create(now=timezone.now())
        self.stdout.write(f"The demo campaign goes out at {campaign.next_fire_at:%H:%M:%S} UTC.")
        for report in follow(campaign):
            if running.supervisor.stop_asked:
                return
            if report.has_ended:
                counts = ", ".join(f"{n} {state}" for state, n in report.counts.items() if n)
                self.stdout.write(f"The demo campaign has ended: {counts}.")


def make_admin() -> str | None:
    """Make a superuser where there is none yet, and return the password."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMIN, email="", password=password)
    return password
