// What shows from behind other windows that calls ring: the tab's title and its icon.

import { text } from "./texts.js";

const MOST_ON_ICON = 10; // shown as 9+

const title = document.title;
const icon = document.getElementById("favicon");

export function showCount(calls) {
  const counted = calls ? `(${calls}) ${title}` : title;
  if (document.title === counted) return;
  document.title = counted;
  icon.href = text("icon").replace("0", Math.min(calls, MOST_ON_ICON));
}
