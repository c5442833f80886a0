-- The load of wrk on hooks: requests as they lie in a file, all of one length. Caller: bench/hooks.py.
-- Where a mark is given it stands in each of them and becomes another number (16 hex digits) with each request; the one request is sent
-- over and over then. Without it several requests are sent once each, and it ends with the last.
local length, mark = tonumber(os.getenv("BENCH_LENGTH")), os.getenv("BENCH_MARK")
local number = tonumber(os.getenv("BENCH_FROM"))
local all, count, pieces
local SPARE = 128
local sent = 0

function init(args)
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  all = file:read("*a")
  file:close()
  count = #all / length
  if mark ~= "" then
    pieces = {}
    local at = 1
    for from in string.gmatch(all, "()" .. mark) do
      pieces[#pieces + 1] = string.sub(all, at, from - 1)
      at = from + #mark
    end
    pieces[#pieces + 1] = string.sub(all, at)
  end
end

function request()
  if pieces then
    number = number + 1
    return table.concat(pieces, string.format("%016x", number))
  end
  if count == 1 then
    return all
  end
  if sent >= count - SPARE then
    wrk.thread:stop() -- which asks once more for some of the connections
  end
  local at = sent % count
  sent = sent + 1
  return string.sub(all, at * length + 1, (at + 1) * length)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
