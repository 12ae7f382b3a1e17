"""A page of the admin that is not there: said in the frame, with a way back, to people who are signed in."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from embeddings_app.admin.middleware import ADMIN_PATH


class FramedMissing(MiddlewareMixin):
    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """None for everybody else, who gets the bare answer."""
        if not request.path_info.startswith(ADMIN_PATH) or not isinstance(exception, Http404):
            return None
        if not admin.site.has_permission(request):
            return None
        context = {**admin.site.each_context(request), "title": "There is no such page"}
        return render(request, "embeddings_app/missing.html", context, status=404)
