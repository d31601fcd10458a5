// Runs before anything is painted, so that a page that was set to dark never flashes white.
"use strict";
{
  const kept = localStorage.getItem("candlelake-theme");
  if (kept === "light" || kept === "dark") {
    document.documentElement.dataset.theme = kept;
  }
}
