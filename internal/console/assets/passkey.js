// Registers passkeys and logs in by them: a form with data-passkey asks the
// server what to ask the authenticator, and sends the answer.
"use strict";

(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const decode = (options) => {
    const o = options.publicKey;
    o.challenge = toBytes(o.challenge);
    if (o.user) o.user.id = toBytes(o.user.id);
    for (const list of [o.excludeCredentials, o.allowCredentials]) for (const c of list || []) c.id = toBytes(c.id);
    return options;
  };

  const encode = (credential) => {
    const r = credential.response;
    const response = { clientDataJSON: toText(r.clientDataJSON) };
    if (r.attestationObject) {
      response.attestationObject = toText(r.attestationObject);
      response.transports = r.getTransports ? r.getTransports() : [];
    } else {
      response.authenticatorData = toText(r.authenticatorData);
      response.signature = toText(r.signature);
      response.userHandle = r.userHandle ? toText(r.userHandle) : "";
    }
    return JSON.stringify({ id: credential.id, rawId: toText(credential.rawId), type: credential.type, response });
  };

  const reasons = {
    NotAllowedError: "That was cancelled, or took too long. You can try again.",
    InvalidStateError: "This device has a passkey for you already.",
    SecurityError: "Passkeys do not work at this address.",
    NotSupportedError: "This device makes no passkeys that are good here.",
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button[type=submit]");
    const says = form.querySelector("[data-passkey-says]");
    const say = (text) => { says.textContent = text; };
    if (!window.PublicKeyCredential || !navigator.credentials) {
      say(isSecureContext ? "This browser knows no passkeys." : "Passkeys need a page over HTTPS.");
      continue;
    }
    say("");
    button.disabled = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      say("Follow what your device asks…");
      try {
        const asked = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "error" });
        const begun = await asked.json();
        if (begun.next) { location.assign(begun.next); return; }
        if (!begun.options) { say(begun.error || "That did not work."); return; }
        const got = await navigator.credentials[form.dataset.passkey](decode(begun.options));
        form.elements.state.value = begun.state;
        form.elements.answer.value = encode(got);
        form.submit();
      } catch (e) {
        say(reasons[e.name] || "That did not work: reload the page and try again.");
      } finally {
        button.disabled = false;
      }
    });
  }
})();
