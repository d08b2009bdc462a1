-- Asks the gateway about a request (HAProxy 2.6 or newer, with Lua):
--
--     http-request lua.gateway http://127.0.0.1:8082
--
-- txn.gateway_status is its answer, and 0 where there is none: let nothing pass
-- but 200. txn.gateway_user, _email, _name, _groups and _assertion then say who
-- is there, and txn.gateway_authorization, if it is there, which Authorization
-- the app may see; txn.gateway_url is what was asked about.

local said = {
    ["remote-user"] = "txn.gateway_user",
    ["remote-email"] = "txn.gateway_email",
    ["remote-name"] = "txn.gateway_name",
    ["remote-groups"] = "txn.gateway_groups",
    ["x-gateway-jwt-assertion"] = "txn.gateway_assertion",
}

-- What is about the connection or the body stays here. All else goes along.
local stays = {}
for _, name in ipairs({ "host", "connection", "upgrade", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "content-length", "expect" }) do
    stays[name] = true
end

core.register_action("gateway", { "http-req" }, function(txn, gateway)
    txn:set_var("txn.gateway_status", 0)
    local scheme = txn.sf:ssl_fc() == "1" and "https" or "http"
    local url = scheme .. "://" .. txn.sf:req_fhdr("host") .. txn.sf:pathq()
    txn:set_var("txn.gateway_url", url)

    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not stays[name] then
            headers[name] = {}
            for i = 0, #values do -- they count from 0
                table.insert(headers[name], values[i])
            end
        end
    end
    headers["x-original-url"] = { url }
    headers["x-original-method"] = { txn.sf:method() }
    headers["x-forwarded-for"] = { txn.sf:src() }

    local answer = core.httpclient():get({ url = gateway .. "/.gateway/authz/auth-request", headers = headers, timeout = 10000 })
    if answer.status == 200 then
        for header, name in pairs(said) do
            local values = answer.headers[header]
            if not values or values[1] then
                return -- not there once: the gateway says each of them always
            end
            txn:set_var(name, values[0])
        end
        local theirs = answer.headers["authorization"]
        if theirs then
            txn:set_var("txn.gateway_authorization", theirs[0])
        end
    end
    txn:set_var("txn.gateway_status", answer.status or 0)
end, 1)
