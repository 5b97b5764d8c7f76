//! What the program prints once everything is up: how to connect, for people and for programs.

use sandbox::{DATABASE, LOGIN, PASSWORD, Running};
use std::fmt::Write;
use std::net::SocketAddr;

/// One line of JSON.
pub(crate) fn json(running: &Running) -> String {
    let mut line = serde_json::Map::new();
    if let Some(proxy) = &running.proxy {
        line.insert("proxy".to_owned(), proxy.address().to_string().into());
        line.insert("admin".to_owned(), proxy.admin_address().to_string().into());
    }
    line.insert("onprem".to_owned(), running.onprem.address().to_string().into());
    line.insert("mi".to_owned(), running.mi.address().to_string().into());
    line.insert("ca".to_owned(), running.ca_path().display().to_string().into());
    serde_json::Value::Object(line).to_string()
}

/// Instructions for people.
pub(crate) fn text(running: &Running) -> String {
    let (onprem, mi) = (running.onprem.address(), running.mi.address());
    let mut text = format!(
        "Two simulated SQL Servers are up. This is a simulation for trying things out, not a database: its data\n\
         goes when it stops, T-SQL is a subset, and what is not supported is refused with an error.\n\n\
         onprem (takes writes)       {onprem}\n\
         mi     (read-only copy)     {mi}\n\
         login  {LOGIN} / {PASSWORD}, database {DATABASE}, table dbo.Orders\n\
         CA     {}\n",
        running.ca_path().display(),
    );
    let address = match &running.proxy {
        None => onprem,
        Some(proxy) => {
            let (address, admin) = (proxy.address(), proxy.admin_address());
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "proxy  (connect to this)    {address}; read-only sessions (ApplicationIntent=ReadOnly) go to mi\n\
                 admin  (metrics, sessions)  http://{admin}\n"
            );
            address
        }
    };
    connection_strings(&mut text, address);
    text.push_str(
        "\nThe certificate is signed by the CA above: give it to your client instead of trusting any certificate.\n\
         Ctrl-C stops everything and forgets the data.",
    );
    text
}

fn connection_strings(text: &mut String, address: SocketAddr) {
    let port = address.port();
    let credentials = format!("database={DATABASE};user={LOGIN};password={PASSWORD}");
    let lines = [
        ("sqlcmd", format!("sqlcmd -S tcp:127.0.0.1,{port} -U {LOGIN} -P {PASSWORD} -d {DATABASE} -C")),
        (
            "pyodbc",
            format!(
                "Driver={{ODBC Driver 18 for SQL Server}};Server=tcp:127.0.0.1,{port};Database={DATABASE};\
                 UID={LOGIN};PWD={PASSWORD};TrustServerCertificate=yes"
            ),
        ),
        (
            "ADO.NET",
            format!(
                "Server=tcp:127.0.0.1,{port};Database={DATABASE};User ID={LOGIN};Password={PASSWORD};\
                 TrustServerCertificate=True"
            ),
        ),
        ("JDBC", format!("jdbc:sqlserver://127.0.0.1:{port};{credentials};encrypt=true;trustServerCertificate=true")),
        (
            "node",
            format!(
                "{{ server: '127.0.0.1', port: {port}, user: '{LOGIN}', password: '{PASSWORD}', \
                 database: '{DATABASE}', options: {{ trustServerCertificate: true }} }}"
            ),
        ),
        (
            "Go",
            format!(
                "sqlserver://{LOGIN}:{PASSWORD}@127.0.0.1:{port}?database={DATABASE}&encrypt=true&\
                 TrustServerCertificate=true"
            ),
        ),
    ];
    text.push('\n');
    for (client, line) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{client:<8} {line}");
    }
}
