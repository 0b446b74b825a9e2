//! What stands around a program that keeps running: its telemetry, its admin pages, and the word to systemd.

use std::env;

use anyhow::Context;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::info;

use crate::about::{About, Role};
use crate::export::{Settings, Telemetry};
use crate::health::{Admin, Heartbeat, Pages, ServiceManager, readiness};
use crate::settings::CommonFlags;
use crate::telemetry_thread::TelemetryThread;
use crate::{Exit, Failed, Stop, WithExit};

/// All of it, as long as it lives. A command has its traces alone: it is over before anybody asks.
#[derive(Default)]
pub(crate) struct Observability {
    // In this order they end: what waits is sent while there is a runtime to send it.
    telemetry: Telemetry,
    admin: Option<Admin>,
    manager: Option<ServiceManager>,
    thread: Option<TelemetryThread>,
}

impl Observability {
    /// Makes what was asked for, so far as it can be made before there is a log.
    ///
    /// # Errors
    /// [`Exit::Configuration`] and [`Exit::PortTaken`], each naming the flag or variable.
    pub(crate) fn prepare(about: &About, flags: &CommonFlags) -> Result<Self, Failed> {
        let (endpoint, listen) = (flags.telemetry.endpoint(), flags.health.listen());
        let settings =
            Settings::read(endpoint, &|name| env::var_os(name)).exit(Exit::Configuration)?;
        if about.role == Role::Command {
            return Self::of_a_command(about, &settings.of_a_command());
        }
        let asked = listen.map(|address| (address, "--admin-listen"));
        let by_variable =
            "OTEL_METRICS_EXPORTER=prometheus (OTEL_EXPORTER_PROMETHEUS_HOST and _PORT)";
        let asked = asked.or(settings.scrape_at.as_deref().map(|at| (at, by_variable)));
        let admin = asked
            .map(|(address, by)| Admin::bind(address, by))
            .transpose()?;
        let manager = ServiceManager::from_process()
            .context("NOTIFY_SOCKET: it is no address of a socket: unset it, or correct it")
            .exit(Exit::Configuration)?;
        if !settings.any() && admin.is_none() && manager.is_none() {
            return Ok(Self::default());
        }
        let thread = TelemetryThread::start().context("start a thread")?;
        let telemetry = Telemetry::start(about, &settings, admin.is_some(), &thread)
            .context("set up telemetry as OTEL_* says")
            .exit(Exit::Configuration)?;
        Ok(Self {
            telemetry,
            admin,
            manager,
            thread: Some(thread),
        })
    }

    /// What it does to a chunk belongs into that chunk's trace.
    fn of_a_command(about: &About, settings: &Settings) -> Result<Self, Failed> {
        if !settings.any() {
            return Ok(Self::default());
        }
        let thread = TelemetryThread::start().context("start a thread")?;
        let telemetry = Telemetry::start(about, settings, false, &thread)
            .context("set up telemetry as OTEL_* says")
            .exit(Exit::Configuration)?;
        Ok(Self {
            telemetry,
            thread: Some(thread),
            ..Self::default()
        })
    }

    /// What spans are made with.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        self.telemetry.tracer()
    }

    /// Opens the pages, and speaks to systemd. Call it among the program's tasks.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(&mut self, about: &About, stop: &Stop) -> Result<(), Failed> {
        let readiness = readiness();
        let (admin, manager) = (self.admin.take(), self.manager.take());
        let Some(thread) = self
            .thread
            .as_ref()
            .filter(|_| admin.is_some() || manager.is_some())
        else {
            return Ok(());
        };
        let pulse = manager
            .as_ref()
            .map_or_else(Heartbeat::default, ServiceManager::pulse);
        tokio::spawn(pulse.clone().beat());
        let last_word = manager.as_ref().map(ServiceManager::line).transpose();
        let last_word = last_word.context("speak to systemd")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            stop.requested().await;
            readiness.stopping();
            if let Some(systemd) = last_word {
                systemd.stopping();
            }
        });
        if let Some(manager) = manager {
            thread
                .handle()
                .spawn(manager.report(readiness, pulse.clone()));
        }
        let Some(admin) = admin else { return Ok(()) };
        let address = admin.address().context("open the admin pages")?;
        let pages = Pages {
            about: *about,
            readiness,
            pulse,
            scrape: self.telemetry.scrape.clone(),
        };
        admin.serve(pages, thread).context("open the admin pages")?;
        info!(%address, "admin pages: /metrics /livez /readyz /version");
        Ok(())
    }
}
