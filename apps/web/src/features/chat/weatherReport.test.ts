import { expect, it } from "vitest";
import { type WeatherReport, comingHours, isDay, weatherSchema } from "./weatherReport";

const REPORT: WeatherReport = {
  cityName: "Paris",
  current: { temperature_2m: 11.5, time: "2026-03-01T14:15" },
  hourly: {
    time: ["2026-03-01T13:00", "2026-03-01T14:00", "2026-03-01T15:00"],
    temperature_2m: [10.2, 11.4, 12.6],
  },
  daily: { sunrise: ["2026-03-01T07:30"], sunset: ["2026-03-01T18:30"] },
};

it("begins with the hour that it is", () => {
  expect(comingHours(REPORT)).toEqual([
    { clock: "14:00", degrees: 11 },
    { clock: "15:00", degrees: 13 },
  ]);
});

it("tells day from night", () => {
  expect(isDay(REPORT)).toBe(true);
  const evening = { ...REPORT, current: { temperature_2m: 9, time: "2026-03-01T21:00" } };
  expect(isDay(evening)).toBe(false);
});

it("makes do with the temperature alone, and with nothing less", () => {
  const least = { current: { temperature_2m: 17 } };
  expect(comingHours(weatherSchema.parse(least))).toEqual([]);
  expect(weatherSchema.safeParse({ current: {} }).success).toBe(false);
});
