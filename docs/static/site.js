// What scrolls sideways can be reached by the keyboard.
addEventListener("load", () => {
  for (const frame of document.querySelectorAll(".table-wrapper, .highlight pre")) {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
  }
});
