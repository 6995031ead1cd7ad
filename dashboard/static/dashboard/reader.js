// The reader's own clock: tells the server the time zone, and puts every <time> into it.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `timezone=${zone}; path=/; max-age=31536000; samesite=lax`;

const two = (number) => String(number).padStart(2, "0");

const shapes = {
  time: (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
  minute: (at) => `${two(at.getHours())}:${two(at.getMinutes())}`,
  day: (at) => `${two(at.getMonth() + 1)}-${two(at.getDate())}`,
  date: (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
  short: (at) => `${two(at.getMonth() + 1)}-${two(at.getDate())} ${shapes.time(at)}`,
  long: (at) => (at.getFullYear() === new Date().getFullYear() ? shapes.short(at) : `${shapes.date(at)} ${shapes.time(at)}`),
  exact: (at) => `${shapes.time(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`,
};

// "UTC+8", as it was at that moment.
export function zoneOf(at) {
  const minutes = -at.getTimezoneOffset();
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? "-" : "+"}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${two(rest)}` : ""}`;
}

// Show every time below this element in the reader's zone, in full on hover.
export function showTimes(root) {
  for (const time of root.querySelectorAll("time[data-shape]")) {
    const at = new Date(time.dateTime);
    time.textContent = shapes[time.dataset.shape](at);
    time.title = `${shapes.date(at)} ${shapes.time(at)} ${zoneOf(at)}`;
    const heading = time.closest("h2")?.querySelector("[data-zone]");
    if (heading) heading.textContent = zoneOf(at);
  }
  for (const heading of root.querySelectorAll("th [data-zone]")) heading.textContent = zoneOf(new Date());
}

showTimes(document);
