// What the page does beyond its forms and links: it renews itself while somebody looks, and says when that fails.
(() => {
  "use strict";

  const live = document.querySelector("[data-live]");
  const news = document.getElementById("news");
  if (!live) return;

  const versionOf = () => live.querySelector("[data-version]")?.dataset.version ?? "";
  let before = versionOf();
  let failed = false;

  const say = (words) => {
    if (news && news.textContent !== words) news.textContent = words;
  };

  // Somebody marks text to copy it: it must not change under the mouse.
  const isMarking = () => {
    const marked = window.getSelection();
    return marked !== null && !marked.isCollapsed && live.contains(marked.anchorNode);
  };

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden || isMarking()) event.preventDefault();
  });

  document.addEventListener("htmx:before:response", (event) => {
    const status = event.detail.ctx.response.status;
    if (status < 400 && !event.detail.ctx.response.raw.redirected) return;
    event.preventDefault();
    if (status === 401 || event.detail.ctx.response.raw.redirected) {
      window.location.reload();
      return;
    }
    fail();
  });

  document.addEventListener("htmx:error", () => fail());

  document.addEventListener("htmx:after:swap", () => {
    const now = versionOf();
    if (failed) say("The page is up to date again.");
    else if (now !== before) say("The page was updated: something has changed.");
    failed = false;
    before = now;
    document.body.classList.remove("is-stale");
  });

  const fail = () => {
    failed = true;
    document.body.classList.add("is-stale");
    const time = new Date().toISOString().slice(11, 16);
    say(`The connector has not answered since ${time} UTC; what is shown may be old.`);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) window.htmx.trigger(live, "awake", {}, false);
  });
})();
