"""PostgreSQL and Valkey from pip wheels, as child processes with a data folder."""

from raylm_apps.gateway.embedded.stores import EmbeddedStores, StoreUrls

__all__ = ["EmbeddedStores", "StoreUrls"]
