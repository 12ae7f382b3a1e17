"""The Python client and a running instance."""

import pytest
from embsearch import AsyncClient, Client

from tests.client_contract import ClientContract, NamespacesContract, Place
from tests.conftest import Service


class TestInstance(ClientContract, NamespacesContract):
    @pytest.fixture
    def place(self, service: Service) -> Place:
        return Place(lambda: Client(service.url), lambda: AsyncClient(service.url))
