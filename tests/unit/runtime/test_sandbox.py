import psycopg
import redis
from django.conf import settings


def test_database_binds_its_role_by_row_level_security(servers):
    described = settings.DATABASES["default"]
    with psycopg.connect(
        host=described["HOST"],
        port=described["PORT"] or None,
        user=described["USER"],
        password=described["PASSWORD"],
        dbname="postgres",
    ) as connection:
        row = connection.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert row.fetchone() == (False, False)


def test_redis_database_is_empty(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_redis_database_is_emptied_between_tests(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
