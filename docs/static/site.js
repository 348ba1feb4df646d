addEventListener("DOMContentLoaded", () => {
  // The theme says that captions of the contents are headings, but not of which level.
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.ariaLevel = "2";
});

addEventListener("load", () => {
  // What scrolls sideways can be reached by the keyboard.
  for (const frame of document.querySelectorAll(".table-wrapper, .highlight pre")) {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
  }
});
