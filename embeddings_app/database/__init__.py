"""The Django database backend of the service: Postgres, with every wait bounded."""
