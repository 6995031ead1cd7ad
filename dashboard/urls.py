"""Every page and its address. Callbacks (`/callbacks/<secret>/`) and the socket are told apart in asgi.py."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.i18n import set_language

from .pages import (
    alarms,
    app,
    board,
    call,
    callbacks,
    contact,
    exports,
    follow_ups,
    health,
    history,
    icon,
    mapping,
    password,
    preferences,
    push,
    reports,
    saved_views,
)

urlpatterns = [
    path("", board.board, name="board"),
    path("wall/", board.board, {"is_wall": True}, name="wall"),
    path("calls/<int:pk>/reject/", board.reject_call, name="reject"),
    path("calls/<int:pk>/follow-up/", follow_ups.add_follow_up, name="add_follow_up"),
    path("follow-up/", follow_ups.follow_ups, name="follow_ups"),
    path("follow-up/<int:pk>/take/", follow_ups.take_follow_up, name="take_follow_up"),
    path("follow-up/<int:pk>/give-back/", follow_ups.give_follow_up_back, name="give_follow_up_back"),
    path("follow-up/<int:pk>/done/", follow_ups.follow_up_done, name="follow_up_done"),
    path("history/", history.history, name="history"),
    path("history/new/", history.new_calls, name="new_calls"),
    path("history/views/", saved_views.save_view, name="save_view"),
    path("history/views/<int:pk>/delete/", saved_views.delete_view, name="delete_view"),
    path("history/<int:pk>/", call.call, name="call"),
    path("history/<int:pk>/notes/", call.add_note, name="add_note"),
    path("history/<int:pk>/contact/", call.change_contact, name="change_contact"),
    path("contacts/<int:pk>/avatar/<slug:version>", contact.avatar, name="avatar"),
    path("history/export.csv", exports.export_csv, name="export_csv"),
    path("history/export.xlsx", exports.export_xlsx, name="export_xlsx"),
    path("exports/", exports.exports, name="exports"),
    path("exports/<int:pk>/", exports.export_row, name="export"),
    path("exports/<int:pk>/file", exports.export_file, name="export_file"),
    path("exports/<int:pk>/cancel/", exports.cancel_export, name="cancel_export"),
    path("reports/", reports.reports, name="reports"),
    path("reports/shown/", reports.delay, {"until": "shown"}, name="report_shown"),
    path("reports/rejected/", reports.delay, {"until": "rejected"}, name="report_rejected"),
    path("reports/breakdown/", reports.breakdown, name="report_breakdown"),
    path("reports/callers/", reports.callers, name="report_callers"),
    path("reports/follow-ups/", reports.follow_ups, name="report_follow_ups"),
    path("callbacks/", callbacks.callbacks, name="callbacks"),
    path("unread/replay/", callbacks.replay_all, name="replay_all"),
    path("unread/<int:pk>/replay/", callbacks.replay_one, name="replay"),
    path("mapping/<int:pk>/", mapping.mapping, name="mapping"),
    path("mapping/<int:pk>/values/", mapping.values, name="mapping_values"),
    path("alarms/", alarms.alarms, name="alarms"),
    path("service-worker.js", app.service_worker, name="service_worker"),
    path("manifest.webmanifest", app.manifest, name="manifest"),
    path("login/", LoginView.as_view(template_name="sign_in/login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("preferences/push/on/", push.push_on, name="push_on"),
    path("preferences/push/off/", push.push_off, name="push_off"),
    path("icon/<int:calls>.svg", icon.icon, name="icon"),
    path("password/", password.ChangePassword.as_view(), name="password_change"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("admin/", admin.site.urls),
    path("healthz", health.process, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler404 = "dashboard.pages.errors.not_found"
handler500 = "dashboard.pages.errors.server_error"
