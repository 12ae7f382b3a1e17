"""What beat sends and when it last did. The schedule itself is part of the code, so it is only shown."""

from django.contrib import admin
from django_celery_beat.admin import PeriodicTask
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule
from unfold.decorators import display

from embeddings_app.admin.read_only import ReadOnlyAdmin

# The app's own pages would let a task be switched off that keeps the service going.
for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(_model)


@admin.register(PeriodicTask)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "task", "schedule_text", "is_enabled", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    ordering = ("name",)
    sortable_by = ()
    fields = ("name", "task", "schedule_text", "enabled", "last_run_at", "total_run_count", "description")

    @display(description="schedule")
    def schedule_text(self, task: PeriodicTask) -> str:
        return str(task.interval or task.crontab or task.solar or task.clocked or "")

    @display(description="enabled", boolean=True)
    def is_enabled(self, task: PeriodicTask) -> bool:
        return bool(task.enabled)
