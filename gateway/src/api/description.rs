//! `/openapi.json`: what the API answers, for programs that read descriptions.

use axum::Json;
use serde_json::{Value, json};

/// `GET /openapi.json`
pub(super) async fn openapi() -> Json<Value> {
    let at = query("at", "as of this position or RFC 3339 time", "string");
    let read = |summary: &str, parameters: &[&Value]| operation(summary, parameters, "application/json");
    let instance = path("instance", "JOB/SLOT, REALM/JOB/SLOT or an id");
    let log = [
        &query("from", "from this position on", "integer"),
        &query("limit", "at most so many entries", "integer"),
        &query("follow", "go on with what comes", "boolean"),
    ];
    let logs = [
        &instance,
        &query("follow", "go on with what comes", "boolean"),
        &query("last", "only the last so many lines of each stream", "integer"),
        &query("stream", "out or err", "string"),
    ];
    let job = query("job", "only what belongs to this job", "string");
    let id = query("id", "names the command; sent again under it, it is done once", "string");
    let plan = query("plan", "the name of a plan; refused if it would not come to that any more", "string");
    let room = query("job", "JOB or REALM/JOB; losses alone when absent", "string");
    Json(json!({
        "openapi": "3.1.0",
        "info": { "title": "Orrery", "version": env!("CARGO_PKG_VERSION") },
        "components": { "schemas": { "Failure": failure() } },
        "paths": {
            "/v1/submit": { "post": command("Do what the request says, once for its id", &[]) },
            "/v1/apply": { "post": command("Make the realm what the manifest says", &[&id, &plan]) },
            "/v1/plan": { "post": command("What manifests would come to: { \"manifests\": [...] }", &[]) },
            "/v1/capacity": {
                "get": read("How many more instances fit, and what each loss would come to", &[&room]),
                "post": command("The same for the jobs of manifests: { \"manifests\": [...] }", &[]),
            },
            "/v1/status": { "get": read("Jobs, nodes, routes and rollouts", &[&at, &job]) },
            "/v1/policies": { "get": read("The policy and quota of every realm", &[&at]) },
            "/v1/policies/test": { "post": command("What of the last stretch of time a policy would decide otherwise: { \"realm\": …, \"text\": …, \"since\": \"7d\" }", &[]) },
            "/v1/why/{instance}": { "get": read("Why an instance is where and how it is", &[&instance, &at]) },
            "/v1/why-not/{job}/{node}": { "get": read(
                "What stands against a job on a node",
                &[&path("job", "JOB or REALM/JOB, with the slash encoded"), &path("node", "the node's name"), &at],
            ) },
            "/v1/trace/{id}": { "get": read("A chain of causes", &[&path("id", "of the chain, or of what began it"), &at]) },
            "/v1/log": { "get": operation("The log, an entry a line", &log, "application/x-ndjson") },
            "/v1/verify": { "get": read("Take the log again and compare", &[]) },
            "/v1/logs/{instance}": { "get": operation("What an instance wrote", &logs, "text/plain") },
            "/v1/opinions/{instance}": { "post": command("Say how an instance is; heard where its health check is of the kind opinion", &[&instance]) },
            "/healthz": { "get": operation("Whether this process answers", &[], "text/plain") },
        },
    }))
}

fn query(name: &str, description: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } })
}

fn path(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
}

fn operation(summary: &str, parameters: &[&Value], content: &str) -> Value {
    let failed = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } });
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "done", "content": { content: {} } },
            "default": {
                "description": "400 makes no sense, 403 from a web page elsewhere, 404 no such thing, 409 refused, 503 not now",
                "content": failed,
            },
        },
    })
}

fn command(summary: &str, parameters: &[&Value]) -> Value {
    let mut command = operation(summary, parameters, "application/json");
    command["requestBody"] = json!({ "required": true, "content": { "application/json": {} } });
    command
}

fn failure() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["reason", "message"],
        "properties": { "reason": text, "message": text, "nearest": text, "change": text, "faults": { "type": "array" },
            "difference": { "type": "array", "items": text } },
    })
}
