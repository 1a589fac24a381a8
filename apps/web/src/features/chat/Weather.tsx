import { Moon, Sun } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type WeatherReport, clockOf, comingHours, isDay } from "./weatherReport";

/** The temperature at a place, now and in the next hours. */
export function Weather({ report }: { report: WeatherReport }) {
  const { t } = useTranslation("chat");
  const Sky = isDay(report) ? Sun : Moon;
  const { daily, current, current_units: units } = report;
  const [sunrise, sunset] = [daily?.sunrise[0], daily?.sunset[0]];
  const hours = comingHours(report);
  return (
    <figure data-testid="weather" className="my-3 max-w-md rounded-2xl border bg-surface p-4">
      <div className="flex items-center gap-3">
        <Sky className="size-8 text-accent" aria-hidden="true" />
        <span className="text-3xl font-semibold tracking-tight tabular-nums">
          {Math.round(current.temperature_2m)}
          <span className="text-lg text-muted-foreground">{units?.temperature_2m ?? "°C"}</span>
        </span>
        <figcaption className="ms-auto min-w-0 text-end text-sm">
          <span className="block truncate font-medium">{report.cityName ?? t("weather.here")}</span>
          {sunrise && sunset && (
            <span className="text-xs text-muted-foreground tabular-nums">
              {t("weather.sun", { rise: clockOf(sunrise), set: clockOf(sunset) })}
            </span>
          )}
        </figcaption>
      </div>
      {hours.length > 1 && (
        <ol className="mt-4 flex justify-between gap-2 text-center text-sm tabular-nums">
          {hours.map((hour) => (
            <li key={hour.clock}>
              <span className="block text-xs text-muted-foreground">{hour.clock}</span>
              {hour.degrees}°
            </li>
          ))}
        </ol>
      )}
    </figure>
  );
}
