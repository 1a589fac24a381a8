let token = "";

/** The secret behind the `#` of a link in a mail; it leaves the address bar at once. */
export function mailedToken(): string {
  if (location.hash) {
    token = location.hash.slice(1);
    history.replaceState(history.state, "", location.pathname);
  }
  return token;
}
