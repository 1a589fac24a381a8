/** What of open-meteo's forecast the weather card shows. */
import * as z from "zod/mini";

export const weatherSchema = z.object({
  cityName: z.optional(z.string()),
  current: z.object({ temperature_2m: z.number(), time: z.optional(z.string()) }),
  current_units: z.optional(z.object({ temperature_2m: z.string() })),
  hourly: z.optional(z.object({ time: z.array(z.string()), temperature_2m: z.array(z.number()) })),
  daily: z.optional(z.object({ sunrise: z.array(z.string()), sunset: z.array(z.string()) })),
});

export type WeatherReport = z.infer<typeof weatherSchema>;

export interface Hour {
  /** `14:00`, in the place's own time. */
  clock: string;
  degrees: number;
}

const HOURS_SHOWN = 6;

/** The hours from the one of the report on. */
export function comingHours({ current, hourly }: WeatherReport): Hour[] {
  if (!hourly || !current.time) return [];
  const hour = current.time.slice(0, 13);
  const start = hourly.time.findIndex((time) => time.startsWith(hour));
  if (start === -1) return [];
  return hourly.time.slice(start, start + HOURS_SHOWN).flatMap((time, index) => {
    const degrees = hourly.temperature_2m[start + index];
    return degrees === undefined ? [] : [{ clock: clockOf(time), degrees: Math.round(degrees) }];
  });
}

/** The time of day of `2026-03-01T14:00`. */
export function clockOf(time: string): string {
  return time.slice(11, 16);
}

/** Whether the sun is up; unknown hours count as day. */
export function isDay({ current, daily }: WeatherReport): boolean {
  const [sunrise, sunset] = [daily?.sunrise[0], daily?.sunset[0]];
  if (!current.time || !sunrise || !sunset) return true;
  return current.time >= sunrise && current.time < sunset;
}
