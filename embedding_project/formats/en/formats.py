"""How the admin writes times: in one order all over the world, in UTC."""

DATETIME_FORMAT = "Y-m-d H:i"
