// Times for the eye: how long, since when, how old.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const two = (number) => String(number).padStart(2, "0");

/** 42 s, 12 min, 2 h 05, 3 d 04 h. */
export function span(milliseconds) {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two(Math.floor((ms % HOUR) / MINUTE))}`;
  return `${Math.floor(ms / DAY)} d ${two(Math.floor((ms % DAY) / HOUR))} h`;
}

/** What is left of a lease: 14:09. */
export function left(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : span(seconds * 1000);
}

/** 14:02 today, 2026-01-31 14:02 otherwise; of this machine's zone. */
export function moment(iso, now) {
  const then = new Date(iso);
  const clock = `${two(then.getHours())}:${two(then.getMinutes())}`;
  if (then.toDateString() === new Date(now).toDateString()) return clock;
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${clock}`;
}

const DATE = /^(\d{4})\.?(\d\d)\.?(\d\d)$/;
const AGE = /^(\d{3})([DWMY])$/;

/** The age at the study: as recorded (PS3.5 6.2, AS), else from the birth date. */
export function age(recorded, birth, study) {
  const told = AGE.exec(recorded);
  if (told) return `${Number(told[1])} ${told[2].toLowerCase()}`;
  const [born, then] = [DATE.exec(birth), DATE.exec(study)];
  if (!born || !then) return "";
  const months = (then[1] - born[1]) * 12 + (then[2] - born[2]) - (Number(then[3]) < Number(born[3]) ? 1 : 0);
  if (months < 0) return "";
  return months < 24 ? `${months} m` : `${Math.floor(months / 12)} y`;
}
