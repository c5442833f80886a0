-- The load of wrk: one POST of 300 bytes after the other, every n-th of them hot. Caller: bench/load.py.
-- Requests are put together once, so that wrk costs the same whatever it sends.
local hot_every = tonumber(os.getenv("BENCH_HOT_EVERY"))
local cold, hot
local sent = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY") }
  cold = wrk.format("POST", "/events", headers, os.getenv("BENCH_COLD"))
  hot = wrk.format("POST", "/events", headers, os.getenv("BENCH_HOT"))
end

function request()
  sent = sent + 1
  if hot_every > 0 and sent % hot_every == 0 then
    return hot
  end
  return cold
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
