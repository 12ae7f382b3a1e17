"""An S3-compatible server for tests: moto, in a virtual environment of its own that the first test makes."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pyarrow.fs

from supervisor.ports import pick_free_port
from tests.conftest import ROOT

REQUIREMENT = "moto[server]==5.2.5"
_ENVIRONMENT = ROOT / ".venv-s3"
_MADE = _ENVIRONMENT / REQUIREMENT.replace("[", ".").replace("]", "")
_PATIENCE_SECONDS = 120.0
BUCKET = "corpus"


def _make_environment() -> None:
    with (ROOT / ".venv-s3.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _MADE.exists():
            return
        shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
        venv.create(_ENVIRONMENT, with_pip=True, symlinks=True)
        subprocess.run([_ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
        _MADE.touch()


@dataclass(frozen=True, slots=True)
class S3Server:
    url: str
    pid: int

    @property
    def environment(self) -> Mapping[str, str]:
        """Address and credentials, as every AWS program reads them."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key-of-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-tests",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def files(self) -> pyarrow.fs.S3FileSystem:
        return pyarrow.fs.S3FileSystem(
            endpoint_override=self.url,
            access_key="key-of-tests",
            secret_key="secret-of-tests",
            region="us-east-1",
            allow_bucket_creation=True,
        )

    def put(self, key: str, content: bytes) -> str:
        """The address of the object that was written."""
        with self.files().open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
            stream.write(content)
        return f"s3://{BUCKET}/{key}"

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """It knows no credentials, as long as the block lasts."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"0", timeout=30).raise_for_status()
        try:
            yield
        finally:
            httpx.post(f"{self.url}/moto-api/reset-auth", content=b"1000000", timeout=30).raise_for_status()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It takes connections and does not answer, as long as the block lasts."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with an empty bucket, for the length of the block."""
    _make_environment()
    port = pick_free_port()
    argv = [str(_ENVIRONMENT / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = S3Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        _await(server.url)
        server.files().create_dir(BUCKET)
        yield server
    finally:
        process.kill()
        process.wait()


def _await(url: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/moto-api/", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    sys.exit("moto does not answer")
