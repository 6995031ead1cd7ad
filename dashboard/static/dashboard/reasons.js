// Rejecting with a reason: a list at the button of a call, or the number of the reason as a key. Without one it is still one click.

const popover = document.getElementById("reasons");

let called; // the card whose reasons are shown

const listOf = ({ dataset: { team } }) =>
  popover?.querySelector(`ul[data-team="${team}"]`) ?? popover?.querySelector('ul[data-team=""]');

// A card whose team has reasons gets the button that shows them.
export function offerReasons(card) {
  const button = card.querySelector("button.why");
  if (button) button.hidden = !listOf(card);
}

// Reject for the reason with this number. Does nothing where there is none, or the call can't be rejected.
export function rejectForReason(card, number) {
  reject(card, listOf(card)?.querySelectorAll("button")[number - 1]);
}

function reject(card, reason) {
  const form = card?.querySelector("form:has(button.reject:enabled)");
  if (!form || !reason) return;
  form.elements.reason.value = reason.value;
  form.requestSubmit();
  form.elements.reason.value = ""; // it was read already
}

function show(button) {
  called = button.closest(".call").id;
  const list = listOf(button.closest(".call"));
  for (const other of popover.children) other.hidden = other !== list;
  popover.showPopover();
  const { right, bottom, top } = button.getBoundingClientRect();
  const fits = bottom + popover.offsetHeight <= innerHeight;
  popover.style.left = `${Math.max(8, right - popover.offsetWidth)}px`;
  popover.style.top = `${fits ? bottom + 4 : Math.max(8, top - popover.offsetHeight - 4)}px`;
  list.querySelector("button").focus();
}

export function useReasons(board) {
  board.addEventListener("click", ({ target }) => target.closest("button.why") && show(target.closest("button.why")));
  popover?.addEventListener("click", ({ target }) => {
    const reason = target.closest("button");
    if (!reason) return;
    popover.hidePopover();
    reject(document.getElementById(called), reason);
  });
  // The list belongs to a place on the screen.
  addEventListener("scroll", () => popover?.matches(":popover-open") && popover.hidePopover(), { passive: true });
}
