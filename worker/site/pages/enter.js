"use strict";
// The token travels once, in a body; in an address it stands behind the #, which no browser sends.
(() => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname);
  const form = document.getElementById("enter");
  // Whoever has entered before needs it no more.
  if (!form) return;
  const said = document.getElementById("said");
  const enter = async (token) => {
    try {
      const answer = await fetch(`${form.dataset.root}enter`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-vton-review": "enter" },
        body: JSON.stringify({ token }),
      });
      if (answer.ok) location.reload();
      else said.textContent = "This is not the token.";
    } catch { said.textContent = "The server does not answer."; }
  };
  form.onsubmit = (event) => { event.preventDefault(); enter(document.getElementById("token").value); };
  if (given) enter(given);
})();
