"""What goes on beside requests, and searches that were slow or found nothing."""

from embeddings_app.console.page import Page
from embeddings_app.models import Scope

PAGE = Page(name="activity", path="activity/", title="Activity", icon="activity", group="Service", needs=Scope.OPERATE)
