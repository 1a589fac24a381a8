/* Where the links in mails lead. The secret behind `#` leaves the address bar at once. */
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const message = document.getElementById("message");
const reset = document.getElementById("reset");
const signIn = document.getElementById("sign-in");

async function post(path, body) {
  const response = await fetch(`api/auth/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { ok: response.ok, status: response.status, ...(await response.json()) };
}

function onSubmit(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await send(Object.fromEntries(new FormData(form)));
    } catch {
      message.textContent = "The server is not reachable at the moment. Please try again.";
    }
    button.disabled = false;
  });
}

async function verify() {
  const answer = await post("verify", { token });
  const mustSignIn = answer.status === 401 || answer.status === 403;
  signIn.hidden = !mustSignIn;
  if (answer.ok) message.textContent = "Thank you. Your e-mail address is verified.";
  else if (mustSignIn) message.textContent = "Sign in to the account whose address this is.";
  else message.textContent = answer.message;
}

onSubmit(reset, async ({ password }) => {
  const answer = await post("password/reset", { token, password });
  reset.hidden = answer.ok;
  message.textContent = answer.ok
    ? "Your password is changed. You can sign in with it now."
    : answer.message;
});

onSubmit(signIn, async (credentials) => {
  const answer = await post("login", credentials);
  if (answer.ok) await verify();
  else message.textContent = answer.message;
});

if (location.pathname.endsWith("/reset-password")) reset.hidden = false;
else verify().catch(() => { message.textContent = "The server is not reachable at the moment."; });
