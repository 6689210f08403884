//! Reads of definitions. Never with `lock`, which would lock what it reads.

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use resync_tws::model::{DefinitionQuery, JobDefinition, Slice, StreamDefinition};
use resync_tws::ports::{DefinitionGateway, GatewayError};

use crate::HwaClient;
use crate::oql::{Direction, Oql, OqlError, OqlQuery};
use crate::plan::{MAX_PAGE, filter_error};
use crate::transport::Call;
use crate::wire::{Place, WireDefinition};

fn oql(query: &DefinitionQuery) -> Result<Option<String>, OqlError> {
    let mut parts = Vec::new();
    if let Some(name) = &query.name {
        parts.push(Oql::name("name", name)?);
    }
    if let Some(workstation) = &query.workstation {
        parts.push(Oql::workstation("workstation", workstation)?);
    }
    if let Some(folder) = &query.folder {
        parts.push(Oql::folder("folder", folder)?);
    }
    OqlQuery::of(parts)
        .order_by("name", Direction::Ascending)?
        .order_by("id", Direction::Ascending)?
        .text()
}

impl HwaClient {
    async fn definitions<T: Send>(
        &self,
        path: &'static str,
        query: &DefinitionQuery,
        become_ours: fn(WireDefinition, Place) -> Result<T, GatewayError>,
    ) -> Result<Slice<T>, GatewayError> {
        let mut call = Call::get(path).header(
            "scope",
            HeaderValue::from_static("WHOLE_NO_JOB_DEFINITIONS"),
        );
        if let Some(text) = oql(query).map_err(filter_error)? {
            call = call.query("oql", text);
        }
        let limit = query.limit.clamp(1, MAX_PAGE);
        let page = self.page(call, query.offset, limit, become_ours).await?;
        Ok(Slice {
            items: page.items,
            total: page.total,
            next_offset: page.next_offset,
        })
    }
}

#[async_trait]
impl DefinitionGateway for HwaClient {
    async fn stream_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<StreamDefinition>, GatewayError> {
        self.definitions("/model/jobstream", query, WireDefinition::stream)
            .await
    }

    async fn job_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<JobDefinition>, GatewayError> {
        self.definitions("/model/jobdefinition", query, WireDefinition::job)
            .await
    }
}
